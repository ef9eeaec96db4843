package main

import (
	"encoding/json"

	"golang.org/x/mod/semver"
)

func init() {
	register("semver.compare", func(args []json.RawMessage) (any, error) {
		return semver.Compare(arg[string](args, 0), arg[string](args, 1)), nil
	})
}
