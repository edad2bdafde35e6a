# shellcheck shell=bash
# Prints an argument for each name in XMLPERF_SCENARIOS, which stand on lines or between commas.
scenario_arguments() {
    local name
    while IFS= read -r name; do
        name="${name#"${name%%[![:space:]]*}"}"
        name="${name%"${name##*[![:space:]]}"}"
        [ -z "$name" ] || printf '%s\n' "--scenario=$name"
    done <<< "${XMLPERF_SCENARIOS//,/$'\n'}"
}
