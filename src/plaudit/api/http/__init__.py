"""How a request becomes a call, and a result a response."""
