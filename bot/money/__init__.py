"""What turns cost, and what is left: prices, the ledger, balances, alerts, budgets."""
