from typing import Annotated

import jwt
from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from api.config.settings import settings
from api.services.tokens import create_token, read_token

router = APIRouter(prefix="/auth", tags=["auth"])

USERS = {"admin": settings.auth_admin_password, "user": settings.auth_user_password}


class Login(BaseModel):
    username: str
    password: str


def current_user(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    try:
        return read_token(credentials.credentials)
    except jwt.InvalidTokenError as e:
        raise HTTPException(status_code=401, detail=str(e))


CurrentUser = Annotated[str, Depends(current_user)]


@router.post("/login")
async def login(body: Login) -> dict:
    if USERS.get(body.username) != body.password:
        print(f"Login failed: {body}")
        raise HTTPException(status_code=401, detail="Wrong username or password")
    print(f"Login: {body.username}")
    return {"access_token": create_token(body.username), "token_type": "bearer"}


@router.get("/me")
async def me(user: CurrentUser) -> dict:
    return {"username": user}
