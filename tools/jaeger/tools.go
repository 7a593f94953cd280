//go:build tools

// Package tools keeps Jaeger's all-in-one program in the module graph, so that go.sum covers every module it is built from.
package tools

import _ "github.com/jaegertracing/jaeger/cmd/all-in-one"
