"""Files of members, events and codes, and organisations that move here."""
