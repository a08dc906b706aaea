"""A Toxiproxy-compatible fault proxy in asyncio: `python -m chaos.toxiproxy_server`.

```
              control API (http, api)
                       |
                    Registry             proxies by name
                       |
                     Proxy               a listener, its toxics, its connections
                       |
  client <-> Endpoint  Connection  Endpoint <-> upstream
                |                    |
                +-> Stub --> Stub -->+   Link "upstream"
                +<-- Stub <-- Stub <-+   Link "downstream"
```

The sockets' ends work by callbacks, so that a chunk costs little where there are no toxics; each toxic works in
a task of its own on each connection, so that it reads as a loop. What the API promises is in Toxiproxy's README;
where this server is different on purpose is in `chaos.toxiproxy_server.deviations`.
"""
