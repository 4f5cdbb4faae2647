"""A question that the scripted language model answers with the help of a function, and what the
function says. The clients' environments import it."""

QUESTION = "What is the weather in Ulm?"
RESULT = "rain"
