"""Mini programs: their codes, the logins of people, and the program that the phone runs."""
