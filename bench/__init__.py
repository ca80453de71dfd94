"""What Magpie does to an answer on its way, measured against the least that could be done (`make bench`)"""
