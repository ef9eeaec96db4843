// Hello prints a greeting.
package main

import "fmt"

func main() {
	fmt.Println("Hello from a module that lives in git.")
}
