"""The commands, one or a few related ones a file: parse, call one flow, render."""
