"""Operations of server programs: a module for each server, with what they give. Each is marked with
the server that it serves."""
