# Every target sets up what it needs. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
VENV := .venv/bin
export PATH := $(CURDIR)/$(VENV):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
WINDOWS ?= 12
WINDOW_SECONDS ?= 8
SEEDS ?= 0..2000
RUST := --manifest-path native/Cargo.toml

.PHONY: help demo demo-three test sim setup setup-test wheel wire lab deploy chaos bench bench-loopback lint format clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: setup  ## everything: four hosts, deployed, clients, kills, a report
	@echo "==> four hosts"; lab/hosts up
	@echo "==> deploy"; ansible-playbook deploy.yml
	@echo "==> $(WINDOWS) kills, one in each $(WINDOW_SECONDS) s, while clients post and read"
	lab/hosts exec $(VENV)/sns-chaos run --windows $(WINDOWS) --window-seconds $(WINDOW_SECONDS)

demo-three: export LAB_PREFIX := tinysns-lab-three
demo-three: setup  ## the same with three hosts, in a lab of its own beside the other one
	@echo "==> three hosts"; lab/hosts up --hosts 3
	@echo "==> deploy"; ansible-playbook -i inventory/lab-three.yml deploy.yml
	@echo "==> $(WINDOWS) kills, one in each $(WINDOW_SECONDS) s, while clients post and read"
	lab/hosts exec $(VENV)/sns-chaos run -i inventory/lab-three.yml \
	  --windows $(WINDOWS) --window-seconds $(WINDOW_SECONDS)
	@echo "==> to use it: export LAB_PREFIX=$(LAB_PREFIX); to remove it: LAB_PREFIX=$(LAB_PREFIX) lab/hosts purge"

test: setup-test  ## all tests: unit, native, loopback, lab
	scripts/run_tests

sim: setup  ## the consensus members through seeded faults in virtual time (SEEDS=0..2000)
	cargo run --quiet --locked --profile sim --manifest-path native/Cargo.toml -p tinysns-sim -- run --seeds $(SEEDS)

setup:  ## install what running needs
	@scripts/setup run

setup-test:  ## install what tests and lint need
	@scripts/setup test

wheel: setup  ## the consensus core as a wheel in build/wheels

wire: setup  ## compile proto/ into src/tinysns/wire
	scripts/generate_wire

lab: setup  ## boot the four hosts of the lab
	lab/hosts up

deploy: setup  ## deploy to the default inventory (the lab)
	ansible-playbook deploy.yml

chaos: setup  ## a chaos run with 30 s windows against the lab (WINDOWS, WINDOW_SECONDS=30)
	lab/hosts exec $(VENV)/sns-chaos run --windows $(WINDOWS) --window-seconds 30

bench: setup  ## figures into build/bench
	lab/hosts exec $(VENV)/python -m chaos.bench

bench-loopback: setup  ## figures of nine processes on this machine, no lab (BENCH="--against COMMIT --quick")
	$(VENV)/python -m chaos.bench.loopback $(BENCH)

lint: setup-test  ## every linter
	scripts/run_lint

format: setup-test  ## let the formatters write
	ruff format .
	ruff check --fix .
	cargo fmt $(RUST)

clean:  ## remove what was built (not the lab)
	rm -rf build .venv native/target src/tinysns.egg-info
	-git worktree prune
