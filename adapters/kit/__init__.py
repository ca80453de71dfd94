"""The adapters' kit: what an adapter needs whatever its platform is: what two of them would write twice stands here
once."""
