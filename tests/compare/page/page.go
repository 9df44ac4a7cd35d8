package page

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// What is measured of all servers, and whether more is better. The other tables are not about who is first.
var better = map[string]string{
	"time": "least", "tokens": "least", "bytes": "least", "rate": "most", "p99": "least", "cpu": "least", "start": "least", "memory": "least",
}

// Write writes the numbers, and from them the plots and the measured parts of the page. A folder without a page gets none.
func Write(folder string, results Results) error {
	results.newest()
	results.round()
	numbers, err := json.MarshalIndent(results, "", " ")
	if err != nil {
		return err
	}
	files, err := Render(folder, results)
	if err != nil {
		return err
	}
	files["comparison.json"] = append(numbers, '\n')
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Render makes the files of a folder anew: the page, whose words between the measured parts stay, and the plots.
func Render(folder string, results Results) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, plot := range results.Plots {
		files["comparison-"+plot.Name+".svg"] = []byte(plot.svg())
	}
	text, err := os.ReadFile(filepath.Join(folder, "comparison.md"))
	if os.IsNotExist(err) {
		return files, nil
	}
	parts := map[string]string{"machine": results.machine(), "servers": results.servers(), "behind": results.behind()}
	for _, table := range results.Tables {
		parts[table.Name] = table.markdown()
	}
	var missing []string
	page := measured.ReplaceAllStringFunc(string(text), func(part string) string {
		name := measured.FindStringSubmatch(part)[1]
		made, found := parts[name]
		if !found {
			missing = append(missing, name)
		}
		return fmt.Sprintf("<!-- measured: %s -->\n%s<!-- end -->", name, made)
	})
	if missing != nil {
		err = fmt.Errorf("the page has parts that were not measured: %s", strings.Join(missing, ", "))
	}
	files["comparison.md"] = []byte(page)
	return files, err
}

var measured = regexp.MustCompile(`(?s)<!-- measured: (\S+) -->\n.*?<!-- end -->`)

// Text is the tables as text, from one of them on.
func (r *Results) Text(from int) string {
	r.round()
	text := ""
	for _, table := range r.Tables[from:] {
		text += table.Name + "\n\n" + table.markdown() + "\n"
	}
	return text
}

func (m Machine) String() string {
	return fmt.Sprintf("%d cores of %s, %s of memory, Linux %s; Kubernetes %s", m.Cores, m.Processor, m.Memory, m.Kernel, m.Kubernetes)
}

func (r *Results) machine() string {
	return fmt.Sprintf("Measured on %s: %v.\n", r.Machine.Date, r.Machine)
}

func (r *Results) servers() string {
	text := "| | version | what it is | how it is started |\n| --- | --- | --- | --- |\n"
	for _, server := range r.Servers {
		text += fmt.Sprintf("| %s | %s | %s | `%s` |\n", server.Name, server.Version, server.What, server.Started)
	}
	return text
}

// Behind are the rows in which Sandbar is not first, by table and row, and who is.
func (r *Results) Behind() (rows [][3]string) {
	for _, table := range r.Tables {
		for _, row := range table.Rows {
			if first := table.first(row); first >= 0 && table.Columns[first] != r.Servers[0].Name {
				rows = append(rows, [3]string{table.Name, row.What, table.Columns[first]})
			}
		}
	}
	return rows
}

func (r *Results) behind() string {
	text, compared := "", 0
	for _, table := range r.Tables {
		if better[table.Name] != "" {
			compared += len(table.Rows)
		}
	}
	rows := r.Behind()
	text += fmt.Sprintf("Sandbar is first in %d of %d rows. It is not in these:\n\n| | row | first is |\n| --- | --- | --- |\n", compared-len(rows), compared)
	for _, row := range rows {
		text += fmt.Sprintf("| %s | %s | %s |\n", row[0], row[1], row[2])
	}
	return text
}

// first is the column of the best number in a row, the bare request aside; -1 where that is not the question.
func (t *Table) first(row Row) int {
	first := -1
	if better[t.Name] == "" {
		return first
	}
	for at, cell := range row.Cells {
		if t.Columns[at] == Bare || cell.Failed != "" || cell.Short {
			continue
		}
		if first < 0 || (cell.Value < row.Cells[first].Value) == (better[t.Name] == "least") && cell.Value != row.Cells[first].Value {
			first = at
		}
	}
	return first
}

func (t *Table) markdown() string {
	text := "| | " + strings.Join(t.Columns, " | ") + " |\n|" + strings.Repeat(" --- |", len(t.Columns)+1) + "\n"
	var said []string
	for _, row := range t.Rows {
		text += "| " + row.What
		first := t.first(row)
		for at, cell := range row.Cells {
			words := cell.String()
			if cell.Failed != "" {
				at := slices.Index(said, cell.Failed)
				if at < 0 {
					at = len(said)
					said = append(said, cell.Failed)
				}
				words = fmt.Sprintf("fails (%d)", at+1)
			}
			if at == first {
				words = "**" + words + "**"
			}
			text += " | " + words
		}
		text += " |\n"
	}
	for at, words := range said {
		text += fmt.Sprintf("\n(%d) “%s”\n", at+1, words)
	}
	return text
}

func (c Cell) String() string {
	words := Number(c.Value)
	switch c.Unit {
	case "":
		words = ""
	case Milliseconds, Megabytes, PerSecond:
		words += " " + string(c.Unit)
		if c.Unit == PerSecond {
			words = Number(c.Value)
		}
	}
	if c.Low != 0 && (Number(c.Low) != Number(c.Value) || Number(c.High) != Number(c.Value)) {
		words += fmt.Sprintf(" (%s–%s)", Number(c.Low), Number(c.High))
	}
	if c.Short {
		words = "(" + words + ", not all)"
	}
	if c.Note != "" && words != "" {
		words += "; "
	}
	return strings.ReplaceAll(words+c.Note, "|", "\\|")
}

// Number writes a number with three digits that count, and commas.
func Number(number float64) string {
	digits := 0
	if number != 0 {
		digits = max(0, min(3, 2-int(math.Floor(math.Log10(math.Abs(number))))))
	}
	text := strconv.FormatFloat(number, 'f', digits, 64)
	whole, part, _ := strings.Cut(text, ".")
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	part = strings.TrimRight(part, "0")
	if part != "" {
		return whole + "." + part
	}
	return whole
}

// Seconds writes a time.
func Seconds(seconds float64) string {
	if seconds < 1 {
		return Number(seconds*1e3) + " ms"
	}
	return strconv.FormatFloat(seconds, 'f', 1, 64) + " s"
}

// Clean is the beginning of what a server has said, on one line.
func Clean(words string) string {
	const most = 140
	words = strings.Join(strings.FieldsFunc(words, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	words = port.ReplaceAllString(strings.NewReplacer("|", "¦", "<", "‹", ">", "›", "`", "'").Replace(words), "127.0.0.1:PORT")
	if runes := []rune(words); len(runes) > most {
		words = string(runes[:most]) + "…"
	}
	return words
}

var port = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// round leaves what can be told apart: counts whole, times and memory with three digits.
func (r *Results) round() {
	digits := func(number float64) float64 {
		if number == 0 || number > 1e15 {
			return number
		}
		scale := math.Pow(10, max(0, 2-math.Floor(math.Log10(math.Abs(number)))))
		return math.Round(number*scale) / scale
	}
	for _, table := range r.Tables {
		for _, row := range table.Rows {
			for at := range row.Cells {
				cell := &row.Cells[at]
				cell.Value, cell.Low, cell.High = digits(cell.Value), digits(cell.Low), digits(cell.High)
			}
		}
	}
	for _, plot := range r.Plots {
		for _, series := range plot.Series {
			for at := range series.Points {
				series.Points[at][1] = digits(series.Points[at][1])
			}
		}
	}
}
