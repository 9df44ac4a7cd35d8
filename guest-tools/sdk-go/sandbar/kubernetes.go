package sandbar

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
	year   = 365 * day
)

// Ages below a number of seconds are told in a unit and, where it is shown, the next smaller one, as kubectl does.
var ages = []struct {
	below, unit   int64
	letter        string
	smaller       int64
	smallerLetter string
}{
	{2 * minute, 1, "s", 0, ""},
	{10 * minute, minute, "m", 1, "s"},
	{3 * hour, minute, "m", 0, ""},
	{8 * hour, hour, "h", minute, "m"},
	{2 * day, hour, "h", 0, ""},
	{8 * day, day, "d", hour, "h"},
	{2 * year, day, "d", 0, ""},
	{8 * year, year, "y", day, "d"},
	{math.MaxInt64, year, "y", 0, ""},
}

// Age is how long ago that is in the running call, as kubectl writes it: `5s`, `3m`, `4h12m`, `12d`. What is still to come is `0s`: clocks differ.
func Age(since time.Time) string {
	seconds := max(int64(Now().Sub(since)/time.Second), 0)
	for _, each := range ages {
		if seconds >= each.below {
			continue
		}
		age := fmt.Sprint(seconds/each.unit, each.letter)
		if each.smaller > 0 && seconds%each.unit/each.smaller > 0 {
			age += fmt.Sprint(seconds%each.unit/each.smaller, each.smallerLetter)
		}
		return age
	}
	return ""
}

// Bytes of a quantity at most: more digits than matter.
const quantityMax = 64

var tens = map[string]string{"": "", "n": "e-9", "u": "e-6", "m": "e-3", "k": "e3", "M": "e6", "G": "e9", "T": "e12", "P": "e15", "E": "e18"}

// Quantity is an amount of processors, bytes or pods: `250m` is 0.25, `1Gi` 1073741824. False where the text says none.
func Quantity(text string) (float64, bool) {
	text = strings.TrimSpace(text)
	if len(text) > quantityMax {
		return 0, false
	}
	end := strings.LastIndexAny(text, "0123456789.") + 1
	number, unit := text[:end], text[end:]
	// Of what ParseFloat reads, a quantity is decimal alone.
	if strings.Trim(number, "+-.0123456789eE") != "" {
		return 0, false
	}
	// As text, so that 0.1 stays 0.1.
	exponent, isDecimal := tens[unit]
	if isDecimal {
		number += exponent
	}
	value, err := strconv.ParseFloat(number, 64)
	power := strings.Index("KMGTPE", strings.TrimSuffix(unit, "i"))
	switch isBinary := len(unit) == 2 && unit[1] == 'i' && power >= 0; {
	case err != nil || !isDecimal && !isBinary:
		return 0, false
	case isBinary:
		return math.Ldexp(value, 10*(power+1)), true
	}
	return value, true
}
