from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from api.config.lifespan import lifespan
from api.config.logging_config import configure_logging
from api.config.settings import settings
from api.routers import auth, llm, system


def create_app() -> FastAPI:
    configure_logging()
    app = FastAPI(title="LLM API", lifespan=lifespan)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        # Preview deployments get a new host name each time.
        allow_origin_regex=".*",
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
    )
    app.include_router(auth.router)
    app.include_router(llm.router)
    app.include_router(system.router)
    return app
