# Needs Python 3.10 or newer and make; everything else is put into .venv, .tox and the user's cache.
# Paths are relative, so that a clone may lie in a folder with a space in its name.

SHELL = /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL = help
.PHONY: help demo jaeger test test-busy lint screenshots bench-instructions python

# The first that is there, runs (a shim of pyenv may not) and is new enough. `make PYTHON=/path/to/python demo` takes another.
PYTHON := $(shell for python in python3.14 python3.13 python3.12 python3.11 python3.10 python3 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1 && { echo "$$python"; break; }; done)
DEMO = examples/support_agent.py
TOX = "tox>=4.24" "tox-uv>=1.25"
ENVS =
ARGS =

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 20

demo: python ## run a team of agents and open the dashboard on their session: no key, no account (ARGS=--once: print it and leave)
	@"$(PYTHON)" tools/environment.py demo -e '.[server]' openai
	@.venv/demo/bin/python tools/demo.py $(ARGS)

jaeger: python ## build and run Jaeger and the Collector, send the demo through them, print where to see it (ONCE=1: end then)
	@"$(PYTHON)" tools/environment.py demo -e '.[server]' openai
	@"$(PYTHON)" tools/backends.py build >/dev/null
	@.venv/demo/bin/python -m tests.backends $(DEMO)

test: python ## run all tests on all supported SDKs (ENVS="main oldest py313": only these; ARGS="-k name": to pytest)
	@"$(PYTHON)" tools/environment.py tox $(TOX)
	@.venv/tox/bin/python tools/suite.py $(ENVS) $(if $(ARGS),-- $(ARGS))

test-busy: python ## the same beside two processes that keep the processor busy: no test may depend on a quiet machine
	@"$(PYTHON)" tools/environment.py tox $(TOX)
	@.venv/tox/bin/python tools/busy.py .venv/tox/bin/python tools/suite.py $(ENVS) $(if $(ARGS),-- $(ARGS))

lint: python ## check style, types and the direction of imports
	@"$(PYTHON)" tools/environment.py tox $(TOX)
	@.venv/tox/bin/python -m tox run -q -e lint

screenshots: python ## take the pictures of docs/images anew (ARGS="--all --into FOLDER": every page, width and theme)
	@"$(PYTHON)" tools/environment.py screenshots -e ".[server]" playwright
	@.venv/screenshots/bin/python tools/screenshots.py $(ARGS)

bench-instructions: python ## count what recording costs next to a span written by hand (ARGS="--rows sync,tool"); needs valgrind
	@"$(PYTHON)" tools/environment.py bench -e . openai
	@.venv/bench/bin/python bench/instructions.py $(ARGS)

python:
	@test -n "$(PYTHON)" || { echo "No Python 3.10 or newer found: install one from https://www.python.org or run make PYTHON=/path/to/python" >&2; exit 1; }
