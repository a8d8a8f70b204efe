// Package scenario runs one named scenario of a client, with a deadline.
package scenario

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"time"
)

const deadline = 45 * time.Second

type Entry struct {
	Name string
	Run  func(context.Context)
}

// Main runs the scenario that the first argument names; --list prints the names.
func Main(entries ...Entry) {
	wanted := ""
	if len(os.Args) > 1 {
		wanted = os.Args[1]
	}
	for _, entry := range entries {
		if wanted == "--list" {
			fmt.Println(entry.Name)
		} else if wanted == entry.Name {
			ctx, cancel := context.WithTimeout(context.Background(), deadline)
			defer cancel()
			time.AfterFunc(deadline+time.Second, func() { Fail("no end after %s", deadline) })
			entry.Run(ctx)
			return
		}
	}
	if wanted != "--list" {
		fmt.Fprintf(os.Stderr, "no scenario %q\n", wanted)
		os.Exit(2)
	}
}

func Fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

func Check(err error) {
	if err != nil {
		panic(err)
	}
}

// Must returns the value of a call that has to succeed.
func Must[T any](value T, err error) T {
	Check(err)
	return value
}

func Equal(got, want any) {
	if !reflect.DeepEqual(got, want) {
		panic(fmt.Sprintf("got %#v, want %#v", got, want))
	}
}

func Eventually(what string, condition func() bool) {
	for end := time.Now().Add(15 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			panic("never: " + what)
		}
	}
}
