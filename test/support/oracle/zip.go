package main

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

func init() {
	register("dirhash.hash1", func(args []json.RawMessage) (any, error) {
		contents := arg[map[string]string](args, 0)
		var names []string
		for name := range contents {
			names = append(names, name)
		}
		return dirhash.Hash1(names, func(name string) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(contents[name])), nil
		})
	})
	register("zip.equalFold", func(args []json.RawMessage) (any, error) {
		return strings.EqualFold(arg[string](args, 0), arg[string](args, 1)), nil
	})
	register("zip.folded", func([]json.RawMessage) (any, error) { return foldedRunes(), nil })
	register("zip.checkZip", checkZip)
	register("zip.checkFiles", checkFiles)
	register("zip.createFromDir", createFromDir)
	register("zip.read", readZip)
}

// foldedRunes pairs each rune that folds with others with the smallest of them.
func foldedRunes() [][2]rune {
	pairs := [][2]rune{}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) || unicode.SimpleFold(r) == r {
			continue
		}
		smallest := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			smallest = min(smallest, other)
		}
		pairs = append(pairs, [2]rune{r, smallest})
	}
	return pairs
}

type entry struct {
	Name  string `json:"name"`
	Bytes uint64 `json:"bytes"`
}

type checked struct {
	Valid   []string `json:"valid"`
	Omitted []string `json:"omitted"`
	Invalid []string `json:"invalid"`
	TooBig  bool     `json:"tooBig"`
}

func sorted(cf modzip.CheckedFiles) checked {
	paths := func(errs []modzip.FileError) []string {
		list := []string{}
		for _, e := range errs {
			list = append(list, e.Path)
		}
		return list
	}
	return checked{append([]string{}, cf.Valid...), paths(cf.Omitted), paths(cf.Invalid), cf.SizeError != nil}
}

// checkZip asks about a zip whose entries declare sizes and hold nothing.
func checkZip(args []json.RawMessage) (any, error) {
	f, err := os.CreateTemp("", "oracle-*.zip")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	w := zip.NewWriter(f)
	for _, e := range arg[[]entry](args, 2) {
		if _, err := w.CreateRaw(&zip.FileHeader{Name: e.Name, UncompressedSize64: e.Bytes}); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	cf, err := modzip.CheckZip(module.Version{Path: arg[string](args, 0), Version: arg[string](args, 1)}, f.Name())
	if err != nil && cf.Err() == nil {
		return nil, err
	}
	return sorted(cf), nil
}

type listedFile struct {
	FilePath string `json:"path"`
	Bytes    int64  `json:"bytes"`
	UnixMode uint32 `json:"mode"`
	goMod    string
}

func (f listedFile) Path() string                { return f.FilePath }
func (f listedFile) Lstat() (fs.FileInfo, error) { return f, nil }
func (f listedFile) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(f.goMod)), nil
}
func (f listedFile) Name() string       { return filepath.Base(f.FilePath) }
func (f listedFile) Size() int64        { return f.Bytes }
func (f listedFile) ModTime() time.Time { return time.Time{} }
func (f listedFile) IsDir() bool        { return f.Mode().IsDir() }
func (f listedFile) Sys() any           { return nil }
func (f listedFile) Mode() fs.FileMode {
	switch f.UnixMode & 0o170000 {
	case 0o100000:
		return 0o644
	case 0o040000:
		return fs.ModeDir | 0o755
	case 0o120000:
		return fs.ModeSymlink | 0o777
	default:
		return fs.ModeIrregular
	}
}

// checkFiles takes the list and the text of the root's go.mod.
func checkFiles(args []json.RawMessage) (any, error) {
	var files []modzip.File
	for _, f := range arg[[]listedFile](args, 0) {
		f.goMod = arg[string](args, 1)
		files = append(files, f)
	}
	cf, _ := modzip.CheckFiles(files)
	return sorted(cf), nil
}

func createFromDir(args []json.RawMessage) (any, error) {
	path, version, dir := arg[string](args, 0), arg[string](args, 1), arg[string](args, 2)
	f, err := os.CreateTemp("", "oracle-*.zip")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := modzip.CreateFromDir(f, module.Version{Path: path, Version: version}, dir); err != nil {
		return nil, err
	}
	return read(f.Name())
}

func readZip(args []json.RawMessage) (any, error) {
	return read(arg[string](args, 0))
}

// read reads every byte of a zip; an error anywhere is an error.
func read(name string) (any, error) {
	z, err := zip.OpenReader(name)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	type file struct {
		Name   string `json:"name"`
		SHA256 string `json:"sha256"`
	}
	files := []file{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		h := sha256.New()
		_, err = io.Copy(h, r)
		r.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		files = append(files, file{f.Name, hex.EncodeToString(h.Sum(nil))})
	}
	h1, err := dirhash.HashZip(name, dirhash.Hash1)
	if err != nil {
		return nil, err
	}
	return map[string]any{"h1": h1, "files": files}, nil
}
