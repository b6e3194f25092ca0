// Its presence lets goroutinelabels.go declare functions without a body.
