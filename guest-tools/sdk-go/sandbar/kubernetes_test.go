//go:build !wasip1

package sandbar_test

import (
	"testing"
	"time"

	"sandbar"
	"sandbar/sandbartest"
)

func TestAgesAreAsKubectlWritesThem(t *testing.T) {
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	sandbartest.New(t, nil).At(now)
	for since, want := range map[time.Duration]string{
		-time.Hour: "0s", 119 * time.Second: "119s", 9*time.Minute + 5*time.Second: "9m5s", 5 * time.Minute: "5m", 4*time.Hour + 12*time.Minute: "4h12m",
		47 * time.Hour: "47h", 7*24*time.Hour + 3*time.Hour: "7d3h", 100 * 24 * time.Hour: "100d", 3 * 365 * 24 * time.Hour: "3y", 9 * 365 * 24 * time.Hour: "9y",
	} {
		if age := sandbar.Age(now.Add(-since)); age != want {
			t.Errorf("%v: %s, want %s", since, age, want)
		}
	}
}

func TestQuantitiesAreThoseOfKubernetes(t *testing.T) {
	for text, want := range map[string]float64{
		"250m": 0.25, "1Gi": 1 << 30, "0.1": 0.1, "1.5Ki": 1536, "2k": 2000, "100n": 1e-7, "1e3": 1000, "-1": -1, " 7 ": 7, "3E": 3e18,
	} {
		if value, is := sandbar.Quantity(text); !is || value != want {
			t.Errorf("%s: %v, %v", text, value, is)
		}
	}
	for _, text := range []string{"", "m", "1x", "1ki", "0x10", "inf", "NaN", "1_0", "1Gii"} {
		if value, is := sandbar.Quantity(text); is {
			t.Errorf("%q is no amount, and was read as %v", text, value)
		}
	}
}
