"""Start the gateway: `python src/serve.py --host 0.0.0.0 --port 8000`."""

from gateway.server import main

if __name__ == "__main__":
    main()
