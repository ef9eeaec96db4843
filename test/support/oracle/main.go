// Oracle answers questions about modules with Go's own library, so that tests can compare.
//
// One JSON request a line on standard input, {"fn": name, "args": [...]}, one JSON reply a line on standard output,
// {"ok": value} or {"error": text}. Each area registers its functions in a file of its own.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

type request struct {
	Fn   string            `json:"fn"`
	Args []json.RawMessage `json:"args"`
}

type reply struct {
	OK    any    `json:"ok"`
	Error string `json:"error,omitempty"`
}

var functions = map[string]func(args []json.RawMessage) (any, error){}

func register(name string, fn func(args []json.RawMessage) (any, error)) {
	functions[name] = fn
}

// arg decodes the i-th argument.
func arg[T any](args []json.RawMessage, i int) T {
	var v T
	if err := json.Unmarshal(args[i], &v); err != nil {
		panic(err)
	}
	return v
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var r request
		if err := decoder.Decode(&r); err != nil {
			return
		}
		fn, known := functions[r.Fn]
		if !known {
			fmt.Fprintf(os.Stderr, "oracle: no function %q\n", r.Fn)
			os.Exit(2)
		}
		value, err := fn(r.Args)
		if err != nil {
			encoder.Encode(reply{Error: err.Error()})
		} else {
			encoder.Encode(reply{OK: value})
		}
		if in.Buffered() == 0 {
			out.Flush()
		}
	}
}
