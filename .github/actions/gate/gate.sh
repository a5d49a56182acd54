#!/usr/bin/env bash
# Runs the gate of action.yml. Inputs come as environment variables, so that no input becomes shell code.
set -euo pipefail
if [ -n "${INSTALL:-}" ]; then
  python -m pip install --quiet "$INSTALL"
fi
report="${RUNNER_TEMP:-/tmp}/recallwatch-gate"
mkdir -p "$report"
arguments=(--target "$TARGET" --inconclusive-as "${INCONCLUSIVE_AS:-inconclusive}")
[ -z "${CANDIDATE:-}" ] || arguments+=(--candidate "$CANDIDATE")
[ "${REQUIRE_BASELINE:-true}" != true ] || arguments+=(--require-baseline)
for suite in ${SUITES:-}; do arguments+=(--suite "$suite"); done
code=0
recallwatch gate "${arguments[@]}" \
  --report "$report/gate.json" --markdown "$report/gate.md" --junit "$report/gate.xml" || code=$?
verdict=none
if [ -s "$report/gate.json" ]; then
  verdict=$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["gate"])' "$report/gate.json")
  cat "$report/gate.md" >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
fi
printf 'verdict=%s\nreport=%s\n' "$verdict" "$report" >> "${GITHUB_OUTPUT:-/dev/null}"
exit "$code"
