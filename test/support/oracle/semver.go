package main

import (
	"encoding/json"

	"golang.org/x/mod/semver"
)

func init() {
	register("semver.compare", func(args []json.RawMessage) (any, error) {
		return semver.Compare(arg[string](args, 0), arg[string](args, 1)), nil
	})
	register("semver.parts", func(args []json.RawMessage) (any, error) {
		v := arg[string](args, 0)
		return map[string]any{
			"valid": semver.IsValid(v), "canonical": semver.Canonical(v),
			"major": semver.Major(v), "majorMinor": semver.MajorMinor(v),
			"prerelease": semver.Prerelease(v), "build": semver.Build(v),
		}, nil
	})
	register("semver.sort", func(args []json.RawMessage) (any, error) {
		list := arg[[]string](args, 0)
		semver.Sort(list)
		return list, nil
	})
}
