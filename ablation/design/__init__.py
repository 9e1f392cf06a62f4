"""What a network is: descriptions, the steps between them, the paper's ladders and their cost. No torch below here."""
