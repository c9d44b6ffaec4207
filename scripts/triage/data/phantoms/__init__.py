"""Generated stand-ins for the raw data of the studies, in the formats that real users have."""
