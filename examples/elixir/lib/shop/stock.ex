defmodule Shop.Stock do
  @moduledoc "What one branch has, in the memory of its node."
  use Agent

  def start_link(_), do: Agent.start_link(fn -> %{} end, name: __MODULE__)

  def put(item, count) do
    Agent.get_and_update(__MODULE__, fn stock ->
      stock = Map.update(stock, item, count, &(&1 + count))
      {stock[item], stock}
    end)
  end

  def count(item), do: Agent.get(__MODULE__, &Map.get(&1, item, 0))
end
