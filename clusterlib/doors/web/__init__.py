"""Operations over HTTP: `clusterlib serve` starts this program for a project.

This is the only user of Starlette and uvicorn. `operations/` has what can be done, and what it
takes."""
