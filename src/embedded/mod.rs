//! A private PostgreSQL server from binaries found on the machine.
