"""`thv doctor`: what is wrong with an installation, and the command that mends it.

In the flow: readers observe and change nothing, verdicts turn what was observed into findings, `plan` runs both so that
none waits for ever, `report` prints. Verdicts are pure: what they judge are plain values.
"""
