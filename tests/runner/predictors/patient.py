"""Asynchronous predictors that wait, and that tell who else is in them."""

# pyright: basic, reportIncompatibleMethodOverride=false, reportCallIssue=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false, reportReturnType=false

import asyncio
from collections.abc import AsyncIterator

from cog import BasePredictor


class Waiter(BasePredictor):
    async def setup(self) -> None:
        self.present, self.known = [], set()
        self.setups = asyncio.create_task(asyncio.sleep(600))

    async def visit(self, name: str, seconds: float) -> str:
        self.present.append(name)
        self.known.add(name)
        try:
            print(f"{name} has come")
            await asyncio.sleep(seconds)
            return f"{' '.join(self.present)}, knows first: {'first' in self.known}, {self.setups}"
        finally:
            self.present.remove(name)

    async def predict(self, name: str, seconds: float = 0.0) -> str:
        return await self.visit(name, seconds)


class Host(Waiter):
    async def predict(self, name: str, seconds: float = 0.0) -> str:
        guest = asyncio.create_task(self.visit(f"{name}'s guest", seconds + 600))
        try:
            return await self.visit(name, seconds)
        finally:
            guest.cancel()


class Lister(Waiter):
    async def predict(self, name: str, seconds: float = 0.0) -> AsyncIterator[str]:
        yield await self.visit(name, 0)
        yield await self.visit(name, seconds)
