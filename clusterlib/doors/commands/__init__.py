"""Operations as commands of a shell: which options they have, and how one is carried out."""
