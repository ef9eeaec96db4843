package main

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode"

	"golang.org/x/mod/module"
)

func init() {
	register("module.checkPath", check(module.CheckPath))
	register("module.checkImportPath", check(module.CheckImportPath))
	register("module.checkFilePath", check(module.CheckFilePath))
	register("module.splitPathVersion", func(args []json.RawMessage) (any, error) {
		prefix, pathMajor, ok := module.SplitPathVersion(arg[string](args, 0))
		if !ok {
			return nil, nil
		}
		return map[string]string{"prefix": prefix, "pathMajor": pathMajor}, nil
	})
	register("module.matchPrefixPatterns", func(args []json.RawMessage) (any, error) {
		return module.MatchPrefixPatterns(arg[string](args, 0), arg[string](args, 1)), nil
	})
	register("module.escapePath", text(module.EscapePath))
	register("module.unescapePath", text(module.UnescapePath))
	register("module.escapeVersion", text(module.EscapeVersion))
	register("module.unescapeVersion", text(module.UnescapeVersion))
	register("module.canonicalVersion", func(args []json.RawMessage) (any, error) {
		return module.CanonicalVersion(arg[string](args, 0)), nil
	})
	register("module.check", func(args []json.RawMessage) (any, error) {
		return nil, module.Check(arg[string](args, 0), arg[string](args, 1))
	})
	register("module.checkPathMajor", func(args []json.RawMessage) (any, error) {
		return nil, module.CheckPathMajor(arg[string](args, 0), arg[string](args, 1))
	})
	// PathMajorPrefix panics where the path has no number.
	register("module.pathMajorPrefix", func(args []json.RawMessage) (prefix any, err error) {
		defer func() {
			if problem := recover(); problem != nil {
				err = fmt.Errorf("%v", problem)
			}
		}()
		return module.PathMajorPrefix(arg[string](args, 0)), nil
	})
	register("module.isPseudoVersion", func(args []json.RawMessage) (any, error) {
		return module.IsPseudoVersion(arg[string](args, 0)), nil
	})
	register("module.parsePseudoVersion", func(args []json.RawMessage) (any, error) {
		v := arg[string](args, 0)
		at, err := module.PseudoVersionTime(v)
		if err != nil {
			return nil, err
		}
		base, err := module.PseudoVersionBase(v)
		if err != nil {
			return nil, err
		}
		revision, err := module.PseudoVersionRev(v)
		return map[string]string{"base": base, "time": at.Format(time.RFC3339), "revision": revision}, err
	})
	register("module.pseudoVersionRev", text(module.PseudoVersionRev))
	// The time is in milliseconds since 1970.
	register("module.pseudoVersion", func(args []json.RawMessage) (any, error) {
		at := time.UnixMilli(arg[int64](args, 2))
		return module.PseudoVersion(arg[string](args, 0), arg[string](args, 1), at, arg[string](args, 3)), nil
	})
	register("module.zeroPseudoVersion", func(args []json.RawMessage) (any, error) {
		return module.ZeroPseudoVersion(arg[string](args, 0)), nil
	})
	// All code points that are letters to Go, as [first, last] pairs.
	register("unicode.letters", func([]json.RawMessage) (any, error) {
		var ranges [][2]rune
		for r := rune(0); r <= unicode.MaxRune; r++ {
			if !unicode.IsLetter(r) {
				continue
			}
			if n := len(ranges); n > 0 && ranges[n-1][1] == r-1 {
				ranges[n-1][1] = r
			} else {
				ranges = append(ranges, [2]rune{r, r})
			}
		}
		return ranges, nil
	})
}

func check(fn func(string) error) func([]json.RawMessage) (any, error) {
	return func(args []json.RawMessage) (any, error) { return nil, fn(arg[string](args, 0)) }
}

func text(fn func(string) (string, error)) func([]json.RawMessage) (any, error) {
	return func(args []json.RawMessage) (any, error) { return fn(arg[string](args, 0)) }
}
