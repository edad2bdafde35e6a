# Names for what `.ci/run` does; the checks themselves are there, and only there.

[private]
default:
    @just --list

# Every check that a change must pass
all:
    .ci/run

# The given checks: packages, fmt, workflows, book, clippy, test, cases, doc, deny
check +names:
    .ci/run {{ names }}

# And the slow proofs, which take hours
full:
    .ci/run full
