package main

import (
	"encoding/json"
	"errors"
	"slices"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

func init() {
	register("gomod.parse", func(args []json.RawMessage) (any, error) {
		content := arg[[]byte](args, 0) // base64
		parse := modfile.ParseLax
		if arg[string](args, 1) == "strict" {
			parse = modfile.Parse
		}
		file, err := parse("go.mod", content, nil)
		if err != nil {
			return goModProblems(err), nil
		}
		return goModData(file), nil
	})
	register("gomod.modulePath", func(args []json.RawMessage) (any, error) {
		return modfile.ModulePath(arg[[]byte](args, 0)), nil // base64
	})
	// Whether a go.mod retracts each of the versions.
	register("gomod.retracts", func(args []json.RawMessage) (any, error) {
		file, err := modfile.ParseLax("go.mod", arg[[]byte](args, 0), nil) // base64
		if err != nil {
			return nil, err
		}
		return each(arg[[]string](args, 1), func(version string) any {
			return slices.ContainsFunc(file.Retract, func(r *modfile.Retract) bool {
				return semver.Compare(r.Low, version) <= 0 && semver.Compare(version, r.High) <= 0
			})
		}), nil
	})
}

type object map[string]any

// goModProblems gives the answer of a file that is refused, {"problems": [...], "message": text}.
func goModProblems(err error) object {
	problems := []object{}
	var list modfile.ErrorList
	errors.As(err, &list)
	for _, e := range list {
		// Error also prints the position, and before that the directive, which belongs to our reasons.
		position := e.Pos
		e.Filename, e.Pos = "", modfile.Position{}
		problems = append(problems, object{"line": position.Line, "column": position.LineRune, "reason": e.Error()})
	}
	return object{"problems": problems, "message": err.Error()}
}

// goModData gives a file in the shape of our GoMod.
func goModData(f *modfile.File) object {
	data := object{}
	if f.Module != nil {
		m := object{"path": f.Module.Mod.Path, "line": f.Module.Syntax.Start.Line}
		if f.Module.Deprecated != "" {
			m["deprecated"] = f.Module.Deprecated
		}
		data["module"] = m
	}
	if f.Go != nil {
		data["go"] = f.Go.Version
	}
	if f.Toolchain != nil {
		data["toolchain"] = f.Toolchain.Name
	}
	end := func(path, version string) object {
		if version == "" {
			return object{"path": path}
		}
		return object{"path": path, "version": version}
	}
	data["godebug"] = each(f.Godebug, func(g *modfile.Godebug) any { return object{"key": g.Key, "value": g.Value} })
	data["require"] = each(f.Require, func(r *modfile.Require) any {
		return object{"path": r.Mod.Path, "version": r.Mod.Version, "indirect": r.Indirect}
	})
	data["exclude"] = each(f.Exclude, func(e *modfile.Exclude) any { return end(e.Mod.Path, e.Mod.Version) })
	data["replace"] = each(f.Replace, func(r *modfile.Replace) any {
		return object{"from": end(r.Old.Path, r.Old.Version), "to": end(r.New.Path, r.New.Version)}
	})
	data["retract"] = each(f.Retract, func(r *modfile.Retract) any {
		return object{"low": r.Low, "high": r.High, "rationale": r.Rationale}
	})
	data["tool"] = each(f.Tool, func(t *modfile.Tool) any { return t.Path })
	data["ignore"] = each(f.Ignore, func(i *modfile.Ignore) any { return i.Path })
	return data
}

func each[T any](list []T, f func(T) any) []any {
	result := []any{}
	for _, item := range list {
		result = append(result, f(item))
	}
	return result
}
