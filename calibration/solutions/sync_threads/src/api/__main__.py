import os

import uvicorn

from api import logs

if __name__ == "__main__":
    logs.configure()
    uvicorn.run(
        "api.main:app",
        host=os.environ.get("HOST", "0.0.0.0"),
        port=int(os.environ.get("PORT", "8000")),
        log_config=None,
        access_log=True,
        timeout_graceful_shutdown=20,
    )
