"""Entities: customers, teams, projects, employees and what each of them costs."""
