defmodule Shop do
  @moduledoc "What customers ask of any branch."

  alias Shop.Stock

  @doc "Puts so many into the stock of this branch; gives what it has then."
  def put(item, count), do: Stock.put(item, count)

  @doc "What all branches have of an item. A branch that does not answer counts as empty."
  def total(item) do
    [node() | Node.list()]
    |> :erpc.multicall(Stock, :count, [item], 1_000)
    |> Enum.map(fn
      {:ok, count} -> count
      _ -> 0
    end)
    |> Enum.sum()
  end

  @doc "How many of an item fit onto the shelf of this branch."
  def shelf(item), do: Application.fetch_env!(:shop, :shelves)[String.to_existing_atom(item)]

  def greeting, do: "Welcome"
end
