from fastapi import FastAPI

from api.config.app import create_app

app: FastAPI = create_app()
