"""What the black-box tests are made of: a server child, clients, seeded traffic, an oracle."""
