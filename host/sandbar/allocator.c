/* By default there are four arenas for each processor, which would each keep their own, and what is free is kept for ten seconds: a server
   would take three times as much after it has loaded its components. What is free is given back while there is something to do; a server
   that falls idle after a burst keeps some 10 MB of it. */
const char *_rjem_malloc_conf = "narenas:4,dirty_decay_ms:1000,muzzy_decay_ms:0";
