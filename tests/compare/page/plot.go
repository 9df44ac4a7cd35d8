package page

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// The size of a plot, in pixels, and the room around its lines.
const (
	width, height            = 800, 380
	left, right, top, bottom = 70, 250, 50, 50
)

// ink is as readable on white as on black.
const ink = "#6e7781"

var (
	// Sandbar has a colour of its own, which no other has.
	colours  = []string{"#3b82c4", "#2e9e6b", "#a05bb5", "#b8860b", "#c0504d"}
	ours     = []string{"#e36209", "#f0a35e"}
	ofOthers = ink
)

// svg draws both axes by powers of ten: what doubles with each doubling is a straight line that rises at 45 degrees.
func (p *Plot) svg() string {
	var xs, ys []float64
	for _, series := range p.Series {
		for _, point := range series.Points {
			xs, ys = append(xs, point[0]), append(ys, point[1])
		}
	}
	if len(xs) == 0 {
		return ""
	}
	x := axis{math.Log10(slices.Min(xs)), math.Log10(slices.Max(xs)), left, width - right}
	y := axis{math.Floor(math.Log10(slices.Min(ys))), math.Ceil(math.Log10(slices.Max(ys))), height - bottom, top}
	var svg strings.Builder
	write := func(format string, values ...any) { fmt.Fprintf(&svg, format+"\n", values...) }
	write(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="system-ui, sans-serif" font-size="12" fill="%s">`, width, height, ink)
	write(`<title>%s</title>`, html.EscapeString(p.Title))
	write(`<text x="%d" y="22" font-size="15" font-weight="600">%s</text>`, left, html.EscapeString(p.Title))
	write(`<text x="%d" y="40">%s</text>`, left, html.EscapeString(p.Y))
	write(`<text x="%d" y="%d" text-anchor="middle">%s</text>`, (left+width-right)/2, height-10, html.EscapeString(p.X))
	for decade := y.low; decade <= y.high; decade++ {
		at := y.at(math.Pow(10, decade))
		write(`<line x1="%d" x2="%d" y1="%.1f" y2="%[3]f" stroke="%s" stroke-opacity=".25"/>`, left, width-right, at, ink)
		write(`<text x="%d" y="%.1f" text-anchor="end">%s</text>`, left-8, at+4, Number(math.Pow(10, decade)))
	}
	slices.Sort(xs)
	xs = slices.Compact(xs)
	for _, value := range xs {
		write(`<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, x.at(value), height-bottom+18, Number(value))
	}
	labels := p.labels(y)
	for at, series := range p.Series {
		if len(series.Points) == 0 {
			continue
		}
		colour, stroke := p.colour(at)
		points := make([]string, len(series.Points))
		for number, point := range series.Points {
			points[number] = fmt.Sprintf("%.1f,%.1f", x.at(point[0]), y.at(point[1]))
			write(`<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, x.at(point[0]), y.at(point[1]), colour)
		}
		write(`<polyline points="%s" fill="none" stroke="%s" %s/>`, strings.Join(points, " "), colour, stroke)
		last := series.Points[len(series.Points)-1]
		write(`<polyline points="%.1f,%.1f %d,%.1f" fill="none" stroke="%s" stroke-opacity=".5"/>`, x.at(last[0])+5, y.at(last[1]), width-right+18, labels[at], colour)
		name := series.Name
		if last[0] < xs[len(xs)-1] {
			name += ", fails beyond"
		}
		write(`<text x="%d" y="%.1f" fill="%s">%s</text>`, width-right+22, labels[at]+4, colour, html.EscapeString(name))
	}
	write(`</svg>`)
	return svg.String()
}

// axis is the room of an axis: powers of ten, and pixels.
type axis struct{ low, high, from, to float64 }

func (a axis) at(value float64) float64 {
	if a.high == a.low {
		return (a.from + a.to) / 2
	}
	return a.from + (math.Log10(value)-a.low)/(a.high-a.low)*(a.to-a.from)
}

// labels are the heights of the names at the ends of the lines, so that none is on another.
func (p *Plot) labels(y axis) []float64 {
	const line = 16
	order := []int{}
	heights := make([]float64, len(p.Series))
	for at, series := range p.Series {
		if len(series.Points) > 0 {
			order = append(order, at)
			heights[at] = y.at(series.Points[len(series.Points)-1][1])
		}
	}
	slices.SortFunc(order, func(a, b int) int { return int(heights[a] - heights[b]) })
	for number := 1; number < len(order); number++ {
		heights[order[number]] = max(heights[order[number]], heights[order[number-1]]+line)
	}
	// What has been pushed below the axis goes up again.
	for number, limit := len(order)-1, float64(height-bottom); number >= 0; number, limit = number-1, limit-line {
		heights[order[number]] = min(heights[order[number]], limit)
	}
	return heights
}

// colour is that of a series, and how its line is drawn.
func (p *Plot) colour(at int) (string, string) {
	name := p.Series[at].Name
	mine, theirs := 0, 0
	for _, series := range p.Series[:at] {
		if strings.HasPrefix(series.Name, "Sandbar") {
			mine++
		} else if series.Name != Bare {
			theirs++
		}
	}
	switch {
	case name == Bare:
		return ofOthers, `stroke-width="1.5" stroke-dasharray="4 4"`
	case strings.HasPrefix(name, "Sandbar"):
		return ours[mine%len(ours)], `stroke-width="3"`
	}
	return colours[theirs%len(colours)], `stroke-width="1.5"`
}
