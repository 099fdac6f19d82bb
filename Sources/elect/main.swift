print("elect")
