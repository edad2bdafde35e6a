// A small HTTP service to make innocent changes in: it reads the XML of a body by the standard library, counts
// words, parses numbers, sorts and formats. APP_PORT is the port to listen on.
package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
)

// tokens counts elements by name, and what their text has in numbers.
func tokens(text string) (map[string]int, []float64) {
	counts, numbers := map[string]int{}, []float64{}
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := decoder.Token()
		if err != nil {
			return counts, numbers
		}
		switch it := token.(type) {
		case xml.StartElement:
			counts[it.Name.Local]++
		case xml.CharData:
			for _, word := range strings.Fields(string(it)) {
				counts[strings.ToLower(word)]++
				if number, err := strconv.ParseFloat(word, 64); err == nil {
					numbers = append(numbers, number)
				}
			}
		}
	}
}

func summary(text string) string {
	counts, numbers := tokens(text)
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	sort.Strings(names)
	sort.Float64s(numbers)
	var shown strings.Builder
	for _, name := range names {
		fmt.Fprintf(&shown, "%s:%d;", name, counts[name])
	}
	sum := 0.0
	for _, number := range numbers {
		sum += number
	}
	fmt.Fprintf(&shown, "%.3f", sum)
	return shown.String()
}

func respond(response http.ResponseWriter, request *http.Request) {
	bytes, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	head, documents, _ := strings.Cut(string(bytes), "\n")
	length := 0
	for _, line := range strings.Split(documents, "\n") {
		length += len(summary(line))
	}
	items, _ := strconv.Atoi(strings.TrimPrefix(head, "items="))
	response.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(response, "{\"items\": %d, \"bytes\": %d}", items, length%7)
}

func main() {
	http.HandleFunc("/", respond)
	fmt.Fprintln(os.Stderr, http.ListenAndServe("127.0.0.1:"+os.Getenv("APP_PORT"), nil))
}
