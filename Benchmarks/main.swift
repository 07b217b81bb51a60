import Foundation

for figure in try ThresholdFigures.all() {
    print(figure)
}
