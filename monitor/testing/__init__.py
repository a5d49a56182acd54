"""Contract checks for adapters, built-in or from plug-ins.

Each module lists its checks in ``CHECKS``. A check is a coroutine function that takes a function which builds the
adapter; it raises ``AssertionError`` if the adapter breaks the contract of its port. With pytest:

    @pytest.mark.parametrize("check", retrievers.CHECKS, ids=lambda check: check.__name__)
    def test_the_contract_of_a_retriever(check):
        asyncio.run(check(build))
"""
