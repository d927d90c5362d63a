"""RecBole and RecTools on the same data as mmrec, in environments of their own."""
