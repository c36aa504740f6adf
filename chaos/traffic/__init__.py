"""Clients under test: each a process of its own (`python -m chaos.traffic`), which writes down what it does and sees.

The runner speaks to them over their standard input and output, a word a line:

    writer                     follower                       runner
    ready  (has logged in)     ready  (follows all, streams)
                                                              go               to writers: begin
                                                              stop             to writers: no more, wait for answers
                                                              until POSITION   to followers: end once you have seen it
    end                        end

The end of its input stops either of them too, so that none outlives a runner that crashed.
"""
