"""The ledger of one member: balances, transactions, lots."""
