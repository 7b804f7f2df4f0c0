"""The work that runs beside the processing of events: periodic, in passes, each chore on its own."""
